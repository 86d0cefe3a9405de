// What headquarters pages do beyond keeping fresh.
"use strict";
