#!/usr/bin/env python3
"""Compiles data/**/*.tsv into C++ initialisers. placeholder"""
import sys
