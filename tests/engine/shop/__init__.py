"""An application of somebody's own, installed beside Parlant Site."""
