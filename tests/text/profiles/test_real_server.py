"""``transformers serve`` with a tiny model of our own: a real server, a real model, the whole way.

Runs where the server's packages are: ``pip install 'transformers[serving]'``.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from darec.testing.worlds import tiny_dataset
from darec.text.profiles import Profiler

for package in ("uvicorn", "fastapi", "accelerate", "transformers"):
    pytest.importorskip(package, reason="pip install 'transformers[serving]'")

ANSWER = '{"summary": "A toy.", "audience": "Children.", "keywords": ["toy"]}'


def tiny_model(folder: Path) -> None:
    """A model of bytes that has learnt to say one thing, which is a single token, and then to stop."""
    import torch
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    symbols = ["<s>", "</s>", "<pad>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    tokenizer = Tokenizer(models.BPE(vocab={s: n for n, s in enumerate(symbols)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_tokens([AddedToken(ANSWER, normalized=False)])
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>"
    )
    fast.chat_template = "{% for m in messages %}{{ m['content'] }}\n{% endfor %}>"
    torch.manual_seed(0)
    size = len(symbols) + 1
    config = LlamaConfig(
        vocab_size=size,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=4096,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=2,
    )
    model = LlamaForCausalLM(config)
    prompt, answer = fast.encode("}\n>"), fast.encode(ANSWER)
    assert len(answer) == 1
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(60):
        noise = torch.randint(3, size - 1, (8, 64))
        tail = torch.tensor([prompt + answer + [1]]).expand(8, -1)
        ids = torch.cat([noise, tail], 1)
        labels = ids.clone()
        labels[:, :-2] = -100
        loss = model(input_ids=ids, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.05
    model.save_pretrained(folder)
    fast.save_pretrained(folder)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """The server's base URL, and the model's name there."""
    tiny_model(tmp_path / "model")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    line = [sys.executable, "-m", "transformers.cli.transformers", "serve"]
    process = subprocess.Popen(
        [*line, "--host", "127.0.0.1", "--port", str(port)],
        env={**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1)
                break
            except urllib.error.HTTPError:
                break
            except OSError:
                assert process.poll() is None
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/v1", str(tmp_path / "model")
    finally:
        process.kill()
        process.wait()


def test_profiles_by_a_real_server(served: tuple[str, str], tmp_path: Path) -> None:
    url, model = served
    tiny_dataset(4, 6, items_per_user=4).save(tmp_path / "shop")
    settings = {"base_url": url, "in_flight": 2, "attempts": 1, "max_tokens": 16}
    profiler = Profiler(tmp_path / "shop", model, kinds=["item"], settings=settings, name="tiny")
    characters = sum(prompt.characters for prompt in profiler.prompts["item"])
    report = profiler.run(progress=False)
    assert (report.failed, report.unanswered, report.new) == ([], [], 6)
    assert report.tokens_in == characters + 6 * 3  # a token a byte, and what the chat template adds
    assert (tmp_path / "shop/profiles/tiny/items.jsonl").read_text().count("A toy. Children.") == 6
