"""`python -m agent_console` is `agent-console`."""

from agent_console.cli import main

if __name__ == "__main__":
    main()
