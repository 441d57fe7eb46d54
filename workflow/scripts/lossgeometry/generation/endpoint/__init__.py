"""The contract with an endpoint: its address and key, what its answers and its errors mean."""
