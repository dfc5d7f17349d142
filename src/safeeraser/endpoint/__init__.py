"""Ask a model behind any OpenAI-compatible server (vLLM, SGLang, llama.cpp, OpenAI, ...): many requests, no surprises.

```python
endpoint = Endpoint(EndpointSettings(url="http://localhost:8000/v1", model="judge"))
requests = [Request(messages=(Message("user", text, image),), max_tokens=64, temperature=0) for text, image in asked]
for outcome in endpoint.complete(requests, total=len(requests), label="ask"):
    match outcome:
        case Reply(text=text): ...
        case Failure(reason=reason): ...
```
"""

from safeeraser.endpoint.client import Endpoint
from safeeraser.endpoint.messages import Message, Request
from safeeraser.endpoint.outcomes import Failure, Outcome, Reply, Usage
from safeeraser.endpoint.settings import EndpointSettings

__all__ = ["Endpoint", "EndpointSettings", "Failure", "Message", "Outcome", "Reply", "Request", "Usage"]
