// For pages without modules: Lineman.connect.
import { connect } from "./lineman.js"

globalThis.Lineman = { connect }
