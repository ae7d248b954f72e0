"""The few functions of scikit-learn that the programs call."""
