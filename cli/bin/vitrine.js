#!/usr/bin/env node
// Not built, so that npm finds it when it links the commands of a fresh clone.
import { start } from '../dist/cli.js'

process.exitCode = await start(process)
