import { render } from "preact";
import "./style.css";

render(<h1>jai-server</h1>, document.getElementById("page")!);
