"""The NumPy engine: interprets programs; the definition the other engines are tested against."""
