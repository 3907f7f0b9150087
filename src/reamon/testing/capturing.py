"""placeholder"""

Captured = capture_spans = None
