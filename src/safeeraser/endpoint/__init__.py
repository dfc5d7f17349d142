"""Ask a model behind any OpenAI-compatible server (vLLM, SGLang, llama.cpp, OpenAI, ...): many requests, no surprises.

```python
endpoint = Endpoint(EndpointSettings(url="http://localhost:8000/v1", model="judge"))
requests = [Request(messages=(Message("user", text, image),), max_tokens=64, temperature=0) for text, image in asked]
for outcome in endpoint.complete(requests, total=len(requests), label="ask"):
    match outcome:
        case Reply(text=text): ...
        case Failure(reason=reason): ...
```

`client` has Endpoint, `settings` EndpointSettings, `messages` what is asked, `outcomes` what comes back. Settings need
no HTTP client, which takes a second to import.
"""
