"""Runs the program that the stack is named after."""

import importlib

import pulumi

importlib.import_module(pulumi.get_stack())
