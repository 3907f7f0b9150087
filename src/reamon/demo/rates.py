"""The rates: what the campaign's providers charge, in USD per unit. reamon charges nothing that is not stated."""

RATES: dict[str, dict[str, str]] = {
    "openai/gpt-4": {"input_tokens": "0.00003", "output_tokens": "0.00003"},
    "openai/gpt-3.5-turbo": {"input_tokens": "0.000002", "output_tokens": "0.000002"},
    "openai/whisper-1": {"audio_seconds": "0.0001"},
    "ollama": {"input_tokens": "0", "output_tokens": "0"},
    "elevenlabs": {"characters": "0.0002"},
    "twilio/voice": {"minutes": "0.0085"},
    "twilio/sms": {"messages": "0.0075"},
}
"""For each provider, or provider and model, the price of one unit of what it counts."""
