"""A set through a detector, shard by shard, by this process or by many."""
