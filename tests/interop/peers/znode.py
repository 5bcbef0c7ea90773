"""Puts an ephemeral, sequential znode into ZooKeeper with kazoo, prints its name, and keeps it until stdin ends.

usage: znode.py SERVERS PATH DATA
"""
import sys

from kazoo.client import KazooClient

client = KazooClient(sys.argv[1], timeout=5)
client.start()
name = client.create(sys.argv[2], sys.argv[3].encode(), ephemeral=True, sequence=True, makepath=True)
print(name)
sys.stdout.flush()
sys.stdin.read()
client.stop()
