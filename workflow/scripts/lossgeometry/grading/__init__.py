"""Whether an answer is right: answers and golds, and the killable processes that compare them."""
