// uPlot as the page loads it: from /page/uplot.js, which the server takes from the package.

import uPlot from 'uplot';

export default uPlot;
