"""How state becomes lines of styled text: pure functions, no Textual."""
