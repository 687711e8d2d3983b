"""What `livekit.plugins` offers here, one module each."""
