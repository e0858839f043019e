"""From a trained model to recommendations: SavedModel export, loading, recommending, explaining."""
