#!/usr/bin/env python3
"""An auditor's check that shares no code with Vitrine: python3 check-chain.py bundle.jsonl

Reads an exported bundle (admin exportAudit, `vitrine audit export`) and needs nothing but Python's standard library, since
what a chain stores is what was hashed. It checks, for every chain:

  - each entry's line links to the one before: prev is SHA-256(0x00 || line of the entry before), 64 zeros for the first
  - entries are numbered without a gap, and the chain line's size and head are those of its last entry
  - the RFC 6962 root over the first n lines is the one in each checkpoint of size n
  - each opening opens its intent's commitment: SHA-256(0x02 || salt || args)

It does not check signatures: compare the roots that it prints with checkpoints that you hold (vitrine-verify does both).
Ends with 0 if all of that holds, with 1 and the first fault otherwise.
"""
import base64
import hashlib
import json
import sys

HEAD, TAIL = b'{"entry":', b',"type":"entry"}'


class Fault(Exception):
    pass


def expect(what, found, expected):
    if found != expected:
        raise Fault(f"{what}: found {found}, expected {expected}")


class Tree:
    """The RFC 6962 tree of a chain as it grows: the roots of its full subtrees, the largest first."""

    def __init__(self):
        self.size = 0
        self.subtrees = []

    def append(self, leaf):
        self.size += 1
        self.subtrees.append(leaf)
        size = self.size
        while size % 2 == 0:
            right = self.subtrees.pop()
            self.subtrees.append(node(self.subtrees.pop(), right))
            size //= 2

    def root(self):
        if not self.subtrees:
            return hashlib.sha256(b"").digest()
        root = self.subtrees[-1]
        for left in reversed(self.subtrees[:-1]):
            root = node(left, root)
        return root


def node(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


class Chain:
    def __init__(self, line):
        self.log, self.size, self.head = line["log"], line["size"], line["head"]
        self.tree = Tree()
        self.prev = "0" * 64
        self.roots = {}  # by size, what checkpoints say
        self.commitments = {}  # by call, of intents

    def checkpoint(self, note):
        _origin, size, root = note.split("\n")[:3]
        self.roots[int(size)] = base64.b64decode(root)

    def entry(self, text):
        entry = json.loads(text)
        at = f"entry {self.tree.size} of {self.log}"
        expect(f"{at}: chain", entry["log"], self.log)
        expect(f"{at}: number", entry["seq"], self.tree.size)
        expect(f"{at}: link", entry["prev"], self.prev)
        leaf = hashlib.sha256(b"\x00" + text).digest()
        self.prev = leaf.hex()
        self.tree.append(leaf)
        if self.tree.size in self.roots:
            expect(f"{at}: root", self.tree.root(), self.roots.pop(self.tree.size))
        if entry["action"] == "tool.invoke.intent":
            self.commitments[entry["call"]] = entry["meta"].get("argsCommit")

    def opening(self, line):
        opened = b"\x02" + bytes.fromhex(line["salt"]) + line["args"].encode()
        expect(f"opening of {line['call']}", hashlib.sha256(opened).hexdigest(), self.commitments.get(line["call"]))

    def finish(self):
        expect(f"size of {self.log}", self.tree.size, self.size)
        expect(f"head of {self.log}", self.prev, self.head)
        expect(f"checkpoints of {self.log} beyond its end", sorted(self.roots), [])
        print(f"{self.log}: {self.size} entries, root {base64.b64encode(self.tree.root()).decode()}")


def check(lines):
    chain, ended = None, False
    for raw in lines:
        text = raw.rstrip(b"\n")
        line = json.loads(text)
        kind = line["type"]
        if kind in ("chain", "end") and chain:
            chain.finish()
        if kind == "chain":
            chain = Chain(line)
        elif kind == "checkpoint":
            chain.checkpoint(line["note"])
        elif kind == "entry":
            if not (text.startswith(HEAD) and text.endswith(TAIL)):
                raise Fault("an entry's line is not in the form of a bundle")
            chain.entry(text[len(HEAD) : -len(TAIL)])
        elif kind == "opening":
            chain.opening(line)
        ended = kind == "end"
    if not ended:
        raise Fault("the bundle is not complete")


if __name__ == "__main__":
    try:
        with open(sys.argv[1], "rb") as bundle:
            check(bundle)
    except (Fault, ValueError, KeyError, TypeError) as fault:
        print(f"FAULT {fault}")
        sys.exit(1)
