"""What every layer may use: dtypes and promotion, devices, sizes, errors, flags."""
