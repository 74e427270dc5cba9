export const id = 866;
export const ids = [866];
export const modules = {

/***/ 99866:
/***/ ((__unused_webpack___webpack_module__, __webpack_exports__, __webpack_require__) => {

/* harmony export */ __webpack_require__.d(__webpack_exports__, {
/* harmony export */   sudoHost: () => (/* binding */ sudoHost)
/* harmony export */ });
/* harmony import */ var _far_far_host_js__WEBPACK_IMPORTED_MODULE_0__ = __webpack_require__(1863);
/* harmony import */ var _far_supervisor_js__WEBPACK_IMPORTED_MODULE_1__ = __webpack_require__(57715);
/* harmony import */ var _command_failure_js__WEBPACK_IMPORTED_MODULE_2__ = __webpack_require__(24445);
/* harmony import */ var _sudo_command_js__WEBPACK_IMPORTED_MODULE_3__ = __webpack_require__(46);




/** The machine that the run is on, all of it done as root by `sudo -n`: nobody is asked for a password. */
function sudoHost(options) {
    const carrier = {
        name: 'local',
        open: async (_kind, program, signal) => {
            if (signal?.aborted === true)
                throw (0,_command_failure_js__WEBPACK_IMPORTED_MODULE_2__/* .cancelled */ .KW)(program);
            return {
                argv: [..._sudo_command_js__WEBPACK_IMPORTED_MODULE_3__/* .sudoArguments */ .Y, 'sh', '-c', _far_supervisor_js__WEBPACK_IMPORTED_MODULE_1__/* .loader */ .wG],
                env: {},
                silence: async (end, said) => (0,_sudo_command_js__WEBPACK_IMPORTED_MODULE_3__/* .sudoRefused */ .U)('local', end.error === undefined ? said : 'sudo is not installed'),
                // There is no connection that could break: whoever ended the command took its shell along.
                broken: async () => undefined,
                close: () => undefined,
            };
        },
    };
    return (0,_far_far_host_js__WEBPACK_IMPORTED_MODULE_0__/* .farHost */ .e)(carrier, options);
}


/***/ })

};
