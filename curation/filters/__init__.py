"""What a picture is refused for. One kind a file."""
