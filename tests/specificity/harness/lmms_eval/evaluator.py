"""Ask a model the questions of tasks, and report in lmms-eval's form."""

import copy
import statistics

from lmms_eval.api.instance import Instance, unwrap_generation_output


def simple_evaluate(model, tasks, limit=None, task_manager=None, **_):
    report = {"results": {}, "n-samples": {}, "samples": {}, "versions": {}}
    for name in tasks:
        task = task_manager.tasks[name]
        split = task["test_split"]
        model.task_dict[name] = task["docs"]
        docs = task["docs"][split][:limit]
        found = [_score(model, task, doc, (number, name, split)) for number, doc in enumerate(docs)]
        (metric,) = found[0]
        values = [each[metric] for each in found]
        report["results"][name] = {
            "alias": name,
            f"{metric},none": statistics.mean(values),
            f"{metric}_stderr,none": statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else "N/A",
        }
        report["n-samples"][name] = {"original": len(task["docs"][split]), "effective": len(docs)}
        report["samples"][name] = [{"doc_id": number, **each} for number, each in enumerate(found)]
        report["versions"][name] = 1.0
    return report


def _score(model, task, doc, place):
    text, show = task["doc_to_text"](doc), task["doc_to_visual"]
    if task["output_type"] == "multiple_choice":
        choices = doc[task["doc_to_choice"]]
        requests = [Instance("loglikelihood", (text, f" {choice}", show, *place)) for choice in choices]
        losses, _ = zip(*_asked(model.loglikelihood, requests), strict=True)
        return {"acc": float(choices[losses.index(min(losses))] == doc[task["doc_to_target"]])}
    keywords = copy.deepcopy(task["generation_kwargs"])
    return task["process_results"](
        doc, _asked(model.generate_until, [Instance("generate_until", (text, keywords, show, *place))])
    )


def _asked(method, requests):
    return [unwrap_generation_output(answer)[0] for answer in method(requests)]
