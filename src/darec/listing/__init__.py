"""Lists: what a run or a bundle recommends, to one user or to all, and what may be in them."""
