"""The commands, by what they are about; `mlcore.__main__` runs them."""
