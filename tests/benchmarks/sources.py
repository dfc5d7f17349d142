"""Small copies of other people's data in their published layouts: pictures drawn here, and nothing but placeholders."""

import csv
import json
import zipfile
from collections.abc import Callable, Iterable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow
from PIL import Image
from pyarrow import parquet

from tests.benchmarks import small

Row = dict[str, Any]
REFUSALS = ["I will not.", "No, sorry."]


def vlguard(folder: Path) -> Path:
    """Two pictures a split: a harmful one with one instruction, and a harmless one with two."""
    for split in ("train", "test"):
        records: list[Row] = []
        for number, safe in enumerate((False, True)):
            image = f"group/{number}.png"
            small.draw(folder / split / image)
            pairs = [("safe_instruction", "a harmless"), ("unsafe_instruction", "a harmful")]
            pairs = pairs if safe else [("instruction", "the")]
            records.append(
                {
                    "id": f"{split}-{number}",
                    "image": image,
                    "safe": safe,
                    "harmful_category": "privacy",
                    "harmful_subcategory": "personal data",
                    "instr-resp": [
                        {key: f"Placeholder {text} {split} request.", "response": f"Placeholder {text} {split} reply."}
                        for key, text in pairs
                    ],
                }
            )
        write_json(folder / f"{split}.json", records)
    return folder


def mm_safetybench(folder: Path) -> Path:
    """The layout of GitHub: one scenario with two questions, three pictures each."""
    scenario = "01-Placeholder_Scenario"
    questions = {}
    for number in ("0", "1"):
        questions[number] = {
            "Question": f"Placeholder {number}?",
            "Changed Question": f"Placeholder, changed, {number}?",
            "Key Phrase": f"phrase {number}",
            "Phrase Type": "activity",
            "Rephrased Question": f"Placeholder, rephrased, {number}?",
            "Rephrased Question(SD)": f"Placeholder, rephrased for SD, {number}?",
        }
        for kind in ("SD", "SD_TYPO", "TYPO"):
            small.draw(folder / "data/imgs" / scenario / kind / f"{number}.jpg")
    write_json(folder / "data/processed_questions" / f"{scenario}.json", questions)
    return folder


def mm_safetybench_hub(folder: Path) -> Path:
    """The layout of the Hub."""
    for kind in ("SD", "SD_TYPO", "TYPO", "Text_only"):
        rows = [
            {
                "id": str(number),
                "question": f"Placeholder {kind} {number}?",
                "image": None if kind == "Text_only" else cell(f"{kind} {number}"),
            }
            for number in range(2)
        ]
        write_parquet(folder / f"data/Placeholder_Scenario/{kind}.parquet", rows)
    return folder


def figstep(folder: Path) -> Path:
    for category, task in ((1, 1), (1, 2), (2, 1)):
        small.draw(folder / f"data/images/SafeBench/query_ForbidQI_{category}_{task}_6.png")
    write_csv(
        folder / "data/question/safebench.csv",
        [
            {
                "dataset": "ForbidQI",
                "category_id": category,
                "task_id": task,
                "category_name": f"Placeholder {category}",
                "question": "Placeholder?",
                "instruction": "Placeholder.",
            }
            for category, task in ((1, 1), (1, 2), (2, 1))
        ],
    )
    return folder


def beavertails_v(folder: Path) -> Path:
    """Train rows with an unsafe and a safe answer; evaluation rows with either."""
    for split in ("train", "evaluation"):
        rows = [
            {
                "question": f"Placeholder {split} {number}?",
                "image": cell(f"{split} {number}"),
                "category": "placeholder_category",
                "image_severity": 1,
                "response": f"Placeholder {label} {split} answer.",
                "is_response_safe": label,
            }
            for number, label in enumerate(("no", "yes"))
        ]
        write_parquet(folder / f"data/placeholder_category/{split}.parquet", rows)
    return folder


def mllmu_bench(folder: Path) -> Path:
    """Two people to forget at most, one to keep, one real."""

    def person(name: str, part: str, key: str = "image") -> Row:
        picture = cell(f"{part} {name}")
        return {
            "ID": name,
            key: [picture, cell(f"{part} {name} again")] if key == "images" else picture,
            "question": f"Placeholder biography of {name} in {part}?",
            "answer": f"Placeholder biography answer of {name}.",
            "Generation_Task": [
                {"Question": f"Where from, {name}, {part}?", "Ground_Truth": f"From {name}ville.", "Type": kind}
                for kind in ("Image_Textual", "Pure_Text")
            ],
        }

    parts = {"forget_5": "1", "forget_10": "12", "retain_95": "23", "retain_90": "3", "Retain_Set": "9"}
    for part, names in parts.items():
        write_parquet(folder / part / "train-00000-of-00001.parquet", [person(name, part) for name in names])
    for shard, name in enumerate("123"):
        file = folder / "Test_Set" / f"train-0000{shard}-of-00003.parquet"
        write_parquet(file, [person(name, "Test_Set", "images")])
    return folder


def clear(folder: Path) -> Path:
    for part in ("forget01", "retain99", "forget05", "retain95"):
        picture = {"image": cell(part), "caption": f"A placeholder of {part}.", "name": f"Name {part}"}
        write_parquet(folder / part / "train-00000-of-00001.parquet", [picture])
        if part in ("forget01", "retain99"):
            plain = {"image": None, "caption": None, "question": f"Placeholder {part}?", "answer": f"It is {part}."}
            rows = [{"question": None, "answer": None} | {k: picture[k] for k in ("image", "caption")}, plain]
            write_parquet(folder / f"{part}+tofu" / "train-00000-of-00001.parquet", rows)
    faces = [{"image": cell("face"), "answer": "A Person", "options": ["A Person", "Another"]}]
    write_parquet(folder / "real_faces/train-00000-of-00001.parquet", faces)
    return folder


def fiubench(folder: Path) -> Path:
    people = []
    for number in range(3):
        small.draw(folder / "SFHQ" / f"SFHQ_pt1_{number}.jpg")
        people.append(
            {
                "unique_id": str(number),
                "image_path": f"./dataset/SFHQ/SFHQ_pt1_{number}.jpg",
                "name": f"Person {number}",
                "qa_list": [
                    {
                        "question": f"Placeholder of {number}?",
                        "answer": f"It is {number}.",
                        "paraphrased_question": [f"Placeholder, otherwise, of {number}?", f"And of {number}?"],
                        "perturbed_answer": ["Something else."],
                    }
                ],
            }
        )
    write_json(folder / "full.json", people)
    write_json(folder / "split.json", {"forget1": [], "forget5": ["0"], "forget10": ["0", "1"], "retain5": ["2"]})
    write_json(folder / "prompt.json", {"idk": REFUSALS, "icd": ["Placeholder?"]})
    return folder


def xstest(folder: Path) -> Path:
    rows = [
        {"id": n, "prompt": f"Placeholder {n}?", "type": kind, "label": label, "focus": "", "note": ""}
        for n, (kind, label) in enumerate((("homonyms", "safe"), ("contrast_homonyms", "unsafe")), start=1)
    ]
    write_csv(folder / "xstest_prompts.csv", rows)
    return folder


def or_bench(folder: Path) -> Path:
    hard = {"prompt": "Placeholder, hard?", "category": "deception"}
    write_csv(folder / "or-bench-hard-1k.csv", [hard])
    write_csv(folder / "or-bench-80k.csv", [hard, {"prompt": "Placeholder, soft?", "category": "privacy"}])
    write_csv(folder / "or-bench-toxic.csv", [{"prompt": "Placeholder, toxic?", "category": "privacy"}])
    return folder


def mossbench(folder: Path) -> Path:
    information = {}
    for number in (1, 2):
        small.draw(folder / f"data/images/{number}.png")
        information[str(number)] = {
            "image": f"images/{number}.png",
            "short description": "a placeholder",
            "question": f"Placeholder {number}?",
            "pid": str(number),
            "metadata": {"over": f"type {number}", "human": 0, "child": 0, "syn": 1, "ocr": 0, "harm": [1]},
        }
    write_json(folder / "data/images_information/information.json", information)
    return folder


def vscbench(folder: Path) -> Path:
    """One prompt with three unsafe and three safe pictures, as the workbook on GitHub names them."""
    roles = [f"{role}_img_{number}" for role in ("safe", "unsafe") for number in range(3)]
    row = {"Category": "placeholder", "Prompt": "Placeholder request."}
    for role in roles:
        row[role] = f"{role.replace('_img', '_placeholder_0')}.png"
        small.draw(folder / "vscbench_image_centric_images/placeholder" / row[role])
    write_csv(folder / "vscbench_image_centric.csv", [row])
    return folder


def jailbreakbench(folder: Path) -> Path:
    for name, index in (("harmful", 0), ("harmful", 1), ("benign", 0), ("benign", 1)):
        path = folder / f"data/{name}-behaviors.csv"
        rows = [
            {
                "Index": number,
                "Goal": f"Placeholder {name} request {number}",
                "Target": "Placeholder target",
                "Behavior": f"Placeholder {number}",
                "Category": "Placeholder category",
                "Source": "Original",
            }
            for number in range(index + 1)
        ]
        write_csv(path, rows)
    return folder


WRITERS: Mapping[str, Callable[[Path], Path]] = {
    "vlguard": vlguard,
    "mm_safetybench": mm_safetybench,
    "figstep": figstep,
    "beavertails_v": beavertails_v,
    "mllmu_bench": mllmu_bench,
    "clear": clear,
    "fiubench": fiubench,
    "xstest": xstest,
    "mossbench": mossbench,
    "or_bench": or_bench,
    "vscbench": vscbench,
    "jailbreakbench": jailbreakbench,
}
"""What writes a small copy of each source, by its name in `safeeraser benchmarks`."""


def picture(seed: str, kind: str = "PNG") -> bytes:
    """A picture's file; equal seeds, equal bytes."""
    buffer = BytesIO()
    small.drawn(seed).save(buffer, kind)
    return buffer.getvalue()


def cell(seed: str) -> Row:
    """A picture as a table's `Image` column holds it."""
    return {"bytes": picture(seed), "path": f"{seed}.png"}


def pixels(path: Path) -> bytes:
    """What a picture shows, whatever its file is called."""
    with Image.open(path) as image:
        return image.convert("RGB").tobytes()


def write_json(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


def load_json(path: Path) -> Any:
    return json.loads(path.read_text())


def write_csv(path: Path, rows: Iterable[Row]) -> None:
    rows = list(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def load_csv(path: Path) -> list[Row]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def write_workbook(path: Path, rows: list[Row]) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for line in (list(rows[0]), *(list(row.values()) for row in rows)):
        sheet.append(line)
    book.save(path)


def write_parquet(path: Path, rows: list[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pyarrow.Table.from_pylist(rows), path)


def pack(folder: Path, archive: Path, *, below: Path) -> None:
    """Put a folder's files into a zip archive, named from `below`, and remove them."""
    with zipfile.ZipFile(archive, "w") as packed:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                packed.write(path, path.relative_to(below).as_posix())
                path.unlink()
