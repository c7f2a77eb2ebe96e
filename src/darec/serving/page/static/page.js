// What a page without JavaScript does by whole pages, a little more smoothly: boxes that complete, a dialog, sliders.
"use strict";

const form = document.getElementById("ask");
document.documentElement.classList.add("js");
const more = document.querySelector(".more");
if (more && matchMedia("(max-width: 900px)").matches) more.open = false;

// ---- boxes with options -----------------------------------------------------------------------------------------
for (const combo of document.querySelectorAll("[data-combo]")) {
  const box = combo.querySelector("input");
  const list = combo.querySelector("[role=listbox]");
  let at = -1;

  const options = () => [...list.querySelectorAll("[data-id]")];
  const show = (open) => {
    list.hidden = !open;
    box.setAttribute("aria-expanded", String(open));
    if (!open) point(-1);
  };
  const point = (place) => {
    at = place;
    options().forEach((option, n) => {
      option.setAttribute("aria-selected", String(n === at));
      if (n === at) option.scrollIntoView({ block: "nearest" });
    });
    if (at >= 0) box.setAttribute("aria-activedescendant", options()[at].id);
    else box.removeAttribute("aria-activedescendant");
  };
  const pick = (option) => {
    box.value = option.dataset.id;
    show(false);
    form.requestSubmit();
  };

  list.addEventListener("htmx:afterSwap", () => {
    options().forEach((option, n) => (option.id = `${list.id}-${n}`));
    point(-1);
    show(document.activeElement === box && list.children.length > 0);
  });
  list.addEventListener("mousedown", (event) => event.preventDefault()); // the box keeps the focus
  list.addEventListener("click", (event) => {
    const option = event.target.closest("[data-id]");
    if (option) pick(option);
  });
  box.addEventListener("keydown", (event) => {
    const found = options();
    if (event.key === "Escape") show(false);
    else if (list.hidden || !found.length) return;
    else if (event.key === "ArrowDown") point((at + 1) % found.length);
    else if (event.key === "ArrowUp") point(at > 0 ? at - 1 : found.length - 1);
    else if (event.key === "Enter" && (at >= 0 || box.id === "add")) pick(found[Math.max(at, 0)]);
    else return;
    event.preventDefault();
  });
  box.addEventListener("blur", () => show(false));
  box.addEventListener("input", () => { if (!box.value) show(false); });
}

// ---- the form ---------------------------------------------------------------------------------------------------
const results = document.getElementById("results");

document.body.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target !== results) return;
  const added = document.getElementById("add");
  if (document.activeElement === document.body) results.focus({ preventScroll: true }); // a button that is gone had it
  if (added) added.value = "";
});
document.body.addEventListener("htmx:configRequest", (event) => {
  const button = event.detail.elt === form && event.detail.triggeringEvent?.submitter; // it may stand outside the form
  if (button?.name) event.detail.parameters[button.name] = button.value;
});
for (const slider of document.querySelectorAll("input[type=range]")) {
  slider.addEventListener("input", () => {
    form.querySelector(`output[for=${slider.id}]`).value = Number(slider.value).toFixed(1);
  });
}
document.body.addEventListener("usual", (event) => { // the weight of the text, where nobody has moved its slider
  const slider = document.getElementById("text_weight");
  if (!slider) return;
  document.getElementById("usual").value = slider.value = event.detail.weight;
  form.querySelector("output[for=text_weight]").value = event.detail.weight.toFixed(1);
});
document.body.addEventListener("htmx:beforeRequest", (event) => {
  if (event.detail.target === results) results.setAttribute("aria-busy", "true");
});
document.body.addEventListener("htmx:afterRequest", (event) => {
  if (event.detail.target === results) results.setAttribute("aria-busy", "false");
  if (event.detail.successful) trouble("");
});

// ---- what the server could not answer -----------------------------------------------------------------------------
function trouble(text) {
  const place = document.getElementById("trouble");
  place.hidden = !text;
  place.textContent = text;
}
document.body.addEventListener("htmx:responseError", () => trouble("The server is busy. Try again in a moment."));
document.body.addEventListener("htmx:sendError", () => trouble("The server cannot be reached. Try again in a moment."));

// ---- the dialog ---------------------------------------------------------------------------------------------------
const dialog = document.getElementById("dialog");
if (dialog) {
  document.getElementById("inside").addEventListener("htmx:afterSwap", () => {
    const close = document.createElement("button");
    close.type = "button";
    close.className = "close";
    close.textContent = "Close";
    close.addEventListener("click", () => dialog.close());
    document.getElementById("inside").prepend(close);
    if (!dialog.open) dialog.showModal();
    document.getElementById("dialog-title").focus();
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog || event.target.closest("button[form=ask]")) dialog.close();
  });
}
