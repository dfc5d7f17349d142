"""How likely a model finds given answers, whatever it would say itself: forgetting and suppression look alike in its
answers, and differ here.
"""
