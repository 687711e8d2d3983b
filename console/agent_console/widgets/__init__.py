"""Widgets: each draws one slice of the state, by the line, and repaints only the lines that changed."""
