"""Makes the two pictures of README.md: the figures of a study as a plot, and the page of ``darec serve``.

python docs/pictures.py          # docs/results.svg, from benchmarks/results/target.json
python docs/pictures.py --page   # docs/page.webp too: trains for a minute, and needs chromium
"""

from __future__ import annotations

import io
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from darec.report.drawing import COLOURS, GREY, empty_panels, legend, svg

DOCS: Final = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS.parent))

from benchmarks.common import load_result  # noqa: E402
from benchmarks.target import METRICS, front_models  # noqa: E402

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KINDS: Final = {
    "floor": ("floor", GREY),
    "best linear": ("best linear model", COLOURS[5]),
    "best alignment": ("best other alignment", COLOURS[4]),
    "": ("darec's default", COLOURS[0]),
}
SHOWN: Final = {
    "Recall@20": "Recall@20, all items",
    "Recall@20, least popular third of items": "Recall@20, least popular third",
}
SIZE: Final = (1360, 900)


def results(models: list[dict[str, Any]]) -> Figure:
    """A row a metric, a panel a data set, a bar for each model of README's table."""
    rows = list(front_models(models))
    names = list(dict.fromkeys(name for name, _, _ in rows))
    figure, panels = empty_panels(len(SHOWN), len(names), height=1.9)
    for number, axes in enumerate(panels):
        name, label = names[number % len(names)], list(SHOWN)[number // len(names)]
        for place, (_, kind, row) in enumerate(row for row in rows if row[0] == name):
            value = statistics.fmean(row[METRICS[label]])
            said, colour = KINDS[kind]
            axes.barh(-place, value, color=colour, label=said, height=0.8)
            axes.annotate(
                f"{value:.3f}", (value, -place), xytext=(3, 0), textcoords="offset points",
                va="center", fontsize=8, weight="normal" if kind else "bold",
            )  # fmt: skip
        axes.set_yticks([])
        axes.set_xticks([])
        axes.margins(x=0.18)
        axes.spines[["top", "right", "bottom"]].set_visible(False)
        if number < len(names):
            axes.set_title(name, fontsize=11, weight="bold")
        if number % len(names) == 0:
            axes.set_ylabel(SHOWN[label].replace(", ", ",\n"), fontsize=9)
    legend(figure, panels[0])
    figure.patch.set_facecolor("white")
    return figure


def page() -> bytes:
    """The page over a small shop, as WebP: what somebody who likes two items is recommended."""
    import uvicorn
    from PIL import Image

    import darec
    from darec.data.synthetic import SyntheticConfig, write_synthetic
    from darec.serving.app import create_app
    from darec.serving.server import bind, url_of
    from darec.serving.settings import ServingSettings

    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        raise SystemExit("the picture of the page needs chromium: apt-get install chromium")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_synthetic(folder, SyntheticConfig(n_users=900, n_items=400))
        data = darec.load_dataset(folder / "interactions.csv", items=folder / "items.jsonl")
        run = darec.fit(data, backbone="ease", alignment="l3ae", text="tfidf", progress=False)
        bundle = darec.export_bundle(run, folder / "shop.darec")
        settings = ServingSettings(bundle=str(bundle.path), log=str(folder / "log"))
        socket = bind("127.0.0.1", 0)
        server = uvicorn.Server(uvicorn.Config(create_app(settings), log_level="error"))
        threading.Thread(target=server.run, kwargs={"sockets": [socket]}, daemon=True).start()
        while not server.started:
            time.sleep(0.05)
        first, second = data.items.ids[0], data.items.ids[1]
        target = f"{url_of(socket)}/?liked={first}&liked={second}&diversity=0.2"
        picture = folder / "page.png"
        subprocess.run(
            [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
             "--force-prefers-reduced-motion", "--virtual-time-budget=3000",
             f"--screenshot={picture}", "--window-size={},{}".format(*SIZE), target],
            check=True, capture_output=True,
        )  # fmt: skip
        server.should_exit = True
        made = io.BytesIO()
        Image.open(picture).convert("RGB").save(made, "WEBP", quality=90, method=6)
    return made.getvalue()


def main() -> None:
    """Write them."""
    (DOCS / "results.svg").write_text(svg(results(load_result("target")["models"])))
    if "--page" in sys.argv[1:]:
        (DOCS / "page.webp").write_bytes(page())


if __name__ == "__main__":
    main()
