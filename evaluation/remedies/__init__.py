"""What can be done about an overfitted adapter without training again. One kind a file."""
