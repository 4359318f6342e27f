"""Transcription as a task type of a `parallel_framework` engine: see `transcribe.tasks`."""
