"""Made-up rows in the public layout of each data set, with what is made of them: texts, and rows dropped by reason."""

from __future__ import annotations

from typing import Any

from tests.data_prep.sources.layout import TRACE, Row, Sample, blob_id, messages
from tests.data_prep.sources.prompt_samples import PROMPT_SAMPLES


def dclm(text: str, score: int, exact: float) -> Row:
    return {
        "text": text, "id": "<urn:uuid:1>", "url": "https://ex.org/a", "language": "en", "language_score": 0.98,
        "fasttext_score": 0.12, "edu_int_score": score, "edu_score": exact,
    }  # fmt: skip


def thoughts(topic: str) -> Sample:
    row = {"messages": messages(f"a {topic} question", f"{TRACE}an answer"), "num_tokens": 9, "source": "made up"}
    odd = {**row, "messages": [messages("no answer")[0], {"content": "again", "role": "user"}]}
    return Sample(
        {f"{topic}/train-00000-of-00001.parquet": [row, odd]},
        [f"a {topic} question\n{TRACE}an answer"],
        {"messages.1.role is not assistant": 1},
    )


def nemotron(category: str) -> Sample:
    def row(question: str, answer: str, of: str = category, reasoning: str = "on") -> Row:
        turns = [{**turn, "tool_calls": []} for turn in messages(question, answer)]
        return {
            "uuid": "u1", "license": "cc-by-4.0", "generator": "DeepSeek-R1-0528", "version": "v1", "category": of,
            "reasoning": reasoning, "messages": turns, "metadata": "{}",
        }  # fmt: skip

    return Sample(
        {
            f"data/{category}-00000-of-00010.parquet": [
                row("Solve x.", f"{TRACE}\\boxed{{7}}"),
                row("Add.", "2", reasoning="off"),
                row("-", f"{TRACE}5"),
                row("", f"{TRACE}6"),
                row("Chat?", "Yes.", of="chat"),
            ]
        },
        [f"Solve x.\n{TRACE}\\boxed{{7}}", "Add.\n2"],
        {"messages.0.content is one of empty, -": 2, f"category is not {category}": 1},
    )


def coding(name: str, dataset: str, index: int, judgement: str = "right", pass_rate: str = "1.0") -> Row:
    return {
        "question": "-", "r1_generation": f"{TRACE}```python\n{name}\n```", "qwq_critique": "...", "solution": name,
        "judgement": judgement, "pass_rate": pass_rate, "source": "codeforces", "license": "cc-by-4.0",
        "dataset": dataset, "split": "train", "difficulty": "EASY", "index": str(index), "id": name, "question_id": "q",
    }  # fmt: skip


def coded(question: str, name: str) -> str:
    return f"{question}\n{TRACE}```python\n{name}\n```"


OPEN_CODE_REASONING = Sample(
    {
        "train/python/train-00000-of-00002.parquet": [
            coding("p1", "taco", 1),
            coding("p2", "taco", 0, judgement="wrong"),
            coding("p3", "taco", 0, pass_rate="-1"),
            coding("p4", "taco", 0, pass_rate="-1.0"),
        ],
        "train/python/train-00001-of-00002.parquet": [coding("p5", "apps", 0, pass_rate="0.25")],
        "train/cpp/train-00000-of-00001.parquet": [
            coding("c1", "code_contests", 1),
            coding("c2", "open-r1/codeforces", 0),
            coding("c3", "code_contests", 0),
        ],
    },
    [
        coded("contest", "c1"),
        coded("Add two.\n\nInput\n\ntwo numbers\n\nExamples\n\nInput\n\n1 2\n\nOutput\n\n3\n\nNote\n\neasy", "c2"),
        coded("taco one", "p1"),
        coded("apps zero", "p5"),
    ],
    {"judgement is not right": 1, "pass_rate is -1": 2, "the looked-up question is empty": 1},
    lookup={
        "taco/train/data-00000-of-00002.arrow": [{"question": "taco zero", "solutions": "[]"}],
        "taco/train/data-00001-of-00002.arrow": [{"question": "taco one", "solutions": "[]"}],
        "apps/train.jsonl": [{"id": 0, "question": "apps zero"}],
        "apps/test.jsonl": [{"id": 0, "question": "apps test"}],
        "code_contests/data/train-00000-of-00001-aa.parquet": [
            {"name": "a", "description": ""},
            {"name": "b", "description": "contest"},
        ],
        "codeforces/data/train-00000-of-00001.parquet": [
            {
                "id": "1/A", "description": "Add two.", "input_format": "two numbers", "output_format": None,
                "examples": [{"input": "1 2", "output": "3"}], "note": "easy", "editorial": "...",
            },
        ],
        "codeforces/verifiable/train-00000-of-00001.parquet": [{"description": "of another config"}],
    },
)  # fmt: skip

HELLO, LATIN, BINARY, ABSENT = b"print('hello')\n", "caf\u00e9".encode("latin-1"), b"\xff\xfe\x00\xd8", b"absent"


def stored(content: bytes, path: str, encoding: str = "UTF-8") -> Row:
    return {
        "blob_id": blob_id(content), "content_id": "1", "path": path, "language": "Python", "src_encoding": encoding,
        "length_bytes": len(content), "detected_licenses": ["MIT"], "license_type": "permissive", "is_vendor": False,
        "is_generated": False,
    }  # fmt: skip


STARCODER = Sample(
    {
        "data/Python/train-00000-of-00001.parquet": [
            {
                "repo_name": "o/r",
                "branch_name": "refs/heads/main",
                "files": [
                    stored(HELLO, "/a.py"),
                    stored(LATIN, "/b.py", "ISO-8859-1"),
                    stored(BINARY, "/c.py"),
                    stored(ABSENT, "/d.py"),
                ],
            }
        ]
    },
    ["print('hello')\n", "caf\u00e9"],
    {"the file isn't text in its src_encoding": 1, "the file's content isn't there": 1},
    contents=(HELLO, LATIN, BINARY),
)

REFINE_CODE = Sample(
    {
        "resolved/data_0.parquet": [
            {"repo_name": "o/r", "path": "/a.py", "blob_id": blob_id(content), "src_encoding": "UTF-8"}
            for content in (HELLO, ABSENT)
        ],
        "data/train-00000-of-00001.parquet": [{"repo_name": "o/r", "sub_path": "a.py", "program_lang": "python"}],
    },
    ["print('hello')\n"],
    {"the file's content isn't there": 1},
    contents=(HELLO,),
)  # fmt: skip

PERSONA = {"id": "i1", "prompt": "Write.", "messages": messages("Write.", "Done.")}
PERSONAS = Sample({"data/train-00000-of-00001.parquet": [PERSONA]}, ["User: Write.\nAssistant: Done."])


def wild(model: str, *turns: str) -> Row:
    said = [{**turn, "country": "X", "hashed_ip": "0", "toxic": False} for turn in messages(*turns)]
    return {
        "conversation_hash": "h",
        "model": model,
        "conversation": said,
        "turn": 1,
        "language": "English",
        "toxic": False,
    }


def inline_text(name: str, **columns: Any) -> Sample:
    return Sample({name: [{"text": "some text", **columns}]}, ["some text"])


SAMPLES: dict[str, Sample] = {
    **PROMPT_SAMPLES,
    "dclm_edu": Sample(
        {"data/train-00000-of-00099.parquet": [dclm("kept", 3, 2.71), dclm("kept too", 5, 4.6), dclm("low", 2, 2.49)]},
        ["kept", "kept too"],
        {"edu_int_score < 3": 1},
    ),
    "mot_math": thoughts("math"),
    "mot_code": thoughts("code"),
    "mot_science": thoughts("science"),
    "nemotron_math": nemotron("math"),
    "nemotron_stem": nemotron("stem"),
    "megamath_web_pro": Sample(
        {
            "megamath-web-pro/part_0.parquet": [{"text": "some math", "url": "https://ex.org", "cc-path": "crawl"}],
            "megamath-web/2014/part_0.parquet": [{"text": "of another folder", "url": "https://ex.org"}],
        },
        ["some math"],
    ),
    "open_code_reasoning_2": OPEN_CODE_REASONING,
    "refine_code": REFINE_CODE,
    "starcoder2": STARCODER,
    "openthoughts3_science": Sample(
        {
            "data/train-00000-of-00120.parquet": [
                {"difficulty": None, "source": "s", "domain": domain, "conversations": turns}
                for domain, turns in (
                    ("science", [{"from": "human", "value": "Why?"}, {"from": "gpt", "value": f"{TRACE}So."}]),
                    ("science", [{"from": "human", "value": "How?"}, {"from": "assistant", "value": f"{TRACE}So."}]),
                    ("math", [{"from": "human", "value": "1 + 1?"}, {"from": "gpt", "value": f"{TRACE}2"}]),
                    ("code", [{"from": "human", "value": "sort"}, {"from": "gpt", "value": f"{TRACE}sorted"}]),
                )
            ]
        },
        [f"Why?\n{TRACE}So.", f"How?\n{TRACE}So."],
        {"domain is not science": 2},
    ),
    "wildchat_1m": Sample(
        {
            "data/train-00000-of-00014.parquet": [
                wild("gpt-4-0314", "Hi", "Hello.", "Bye", "Bye."),
                wild("gpt-4-1106-preview", "Hey", "Yes?"),
                wild("gpt-3.5-turbo-0301", "Hi", "Hello."),
            ]
        },
        ["User: Hi\nAssistant: Hello.\nUser: Bye\nAssistant: Bye.", "User: Hey\nAssistant: Yes?"],
        {"model doesn't contain gpt-4": 1},
    ),
    "tulu3_personas_math": PERSONAS,
    "tulu3_personas_math_grade": PERSONAS,
    "tulu3_personas_algebra": PERSONAS,
    "tulu3_personas_code": PERSONAS,
    "tulu3_personas_instruction_following": Sample(
        {"data/train-00000-of-00001.parquet": [{**PERSONA, "constraints": ["c"]}]}, PERSONAS.texts
    ),
    "ultrachat_200k": Sample(
        {
            "data/train_sft-00000-of-00003-a3.parquet": [
                {"prompt": "a", "prompt_id": "1", "messages": messages("a", "b", "c", "d")}
            ],
            "data/test_sft-00000-of-00001-a3.parquet": [
                {"prompt": "t", "prompt_id": "2", "messages": messages("t", "u")}
            ],
            "data/train_gen-00000-of-00003-a3.parquet": [{"prompt": "g", "prompt_id": "3", "messages": messages("g")}],
        },
        ["User: a\nAssistant: b\nUser: c\nAssistant: d"],
    ),
    "codex": Sample(
        {
            "data/train-00000-of-00001.parquet": [
                {"input": "Sort a list.", "output": f"{TRACE}```python\nsorted(a)\n```"}
            ]
        },
        [f"Sort a list.\n{TRACE}```python\nsorted(a)\n```"],
    ),
    "opc_fineweb_code": inline_text("data/train-00000-of-00300.parquet", url="u", tag="t", dump="d", line_count=1),
    "opc_annealing_algorithmic": inline_text("algorithmic_corpus/data_00001.jsonl", lang="python"),
    "opc_annealing_snippet": inline_text("synthetic_code_snippet/data-00000-of-00001.arrow", lang="python"),
    "opc_annealing_qa": inline_text("synthetic_qa/data-00000-of-00001.arrow", lang="python"),
    "stack_v3_train": Sample(
        {
            "data/part-00000.parquet": [
                {
                    "repo_path": "o/r",
                    "commit_id": "c",
                    "files": [{"language": "Python", "content": "a = 1\n"}, {"language": "C", "content": "int a;\n"}],
                }
            ]
        },
        ["a = 1\n", "int a;\n"],
    ),
    "starcoder2data_extras": Sample(
        {"documentation/train-00000-of-00001.parquet": [{"project": "p", "source": "s", "content": "some text"}]},
        ["some text"],
    ),
}
"""By card; texts in the order of the files' names."""
