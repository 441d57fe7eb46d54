raise NotImplementedError("planned only")
