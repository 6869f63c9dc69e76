"""The recorded signals against plain NumPy, everywhere that people train."""
