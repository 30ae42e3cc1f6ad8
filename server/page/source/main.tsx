import { render } from "preact";
import "./style.css";
import { App } from "./view/App.js";

render(<App />, document.getElementById("page")!);
