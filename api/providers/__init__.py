"""Providers: who carries executions out, each told in its own way behind one small interface."""
