AGENT = "desk"
