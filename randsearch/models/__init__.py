"""The network family: sizes in closed form (`sizing`, torch-free) and the networks themselves."""
