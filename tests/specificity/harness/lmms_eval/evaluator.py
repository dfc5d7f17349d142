"""Ask a model the questions of tasks, and report in lmms-eval's form."""

import copy
import statistics

from lmms_eval.api.instance import Instance


def simple_evaluate(model, tasks, limit=None, task_manager=None, **_):
    report = {"results": {}, "n-samples": {}, "samples": {}, "versions": {}}
    for name in tasks:
        task = task_manager.tasks[name]
        split = task["test_split"]
        model.task_dict[name] = task["docs"]
        docs = task["docs"][split][:limit]
        keywords = task["generation_kwargs"]
        requests = [
            Instance(
                "generate_until",
                (task["doc_to_text"](doc), copy.deepcopy(keywords), task["doc_to_visual"], number, name, split),
            )
            for number, doc in enumerate(docs)
        ]
        answers = model.generate_until(requests)
        found = [task["process_results"](doc, [answer]) for doc, answer in zip(docs, answers, strict=True)]
        values = [each["exact_match"] for each in found]
        report["results"][name] = {
            "alias": name,
            "exact_match,none": statistics.mean(values),
            "exact_match_stderr,none": statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else "N/A",
        }
        report["n-samples"][name] = {"original": len(task["docs"][split]), "effective": len(docs)}
        report["samples"][name] = [
            {"doc_id": number, "filtered_resps": [answer], **each}
            for number, (answer, each) in enumerate(zip(answers, found, strict=True))
        ]
        report["versions"][name] = 1.0
    return report
