"""What the lessons and the playground show that no table needs: features, a live curve, widgets."""
