"""The language model: the prompt, the client of any OpenAI-compatible server, and a vLLM server of one's own."""
