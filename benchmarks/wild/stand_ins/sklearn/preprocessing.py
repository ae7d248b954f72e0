"""Scaling."""

from typing import Any

import numpy as np


class StandardScaler:
    """Each column to mean 0 and spread 1."""

    def fit_transform(self, data: Any) -> Any:
        """Learn the columns' means and spreads, and apply them."""
        self.mean_, self.scale_ = np.mean(data, 0), np.std(data, 0)
        return self.transform(data)

    def transform(self, data: Any) -> Any:
        """Apply what was learnt."""
        return (data - self.mean_) / self.scale_
