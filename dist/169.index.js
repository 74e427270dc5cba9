export const id = 169;
export const ids = [169];
export const modules = {

/***/ 50169:
/***/ ((__unused_webpack___webpack_module__, __webpack_exports__, __webpack_require__) => {

/* harmony export */ __webpack_require__.d(__webpack_exports__, {
/* harmony export */   githubArtifacts: () => (/* binding */ githubArtifacts)
/* harmony export */ });
/* harmony import */ var _ports_failure_js__WEBPACK_IMPORTED_MODULE_0__ = __webpack_require__(69554);

/** Where the runner says that files can be kept with the run. */
function hasService(environment) {
    return Boolean(environment.ACTIONS_RUNTIME_TOKEN) && Boolean(environment.ACTIONS_RESULTS_URL);
}
/** The artifact client's own word for GitHub Enterprise Server, whose artifact service is another one. */
function isUnsupported(error) {
    return Object(error).name === 'GHESNotSupportedError';
}
/**
 * Artifacts of the run.
 * @param environment the environment of the run; the client itself takes its token from the process
 */
function githubArtifacts(environment) {
    return {
        upload: async (name, root, files) => {
            if (!hasService(environment))
                return undefined;
            // Loaded here only: it makes the start of every action several times slower.
            const { DefaultArtifactClient } = await Promise.all(/* import() */[__webpack_require__.e(351), __webpack_require__.e(772)]).then(__webpack_require__.bind(__webpack_require__, 19772));
            try {
                const { id } = await new DefaultArtifactClient().uploadArtifact(name, [...files], root);
                return id === undefined ? undefined : String(id);
            }
            catch (error) {
                if (isUnsupported(error))
                    return undefined;
                const { message } = Object(error);
                const reason = typeof message === 'string' ? message : String(error);
                throw new _ports_failure_js__WEBPACK_IMPORTED_MODULE_0__/* .FailureError */ .pO({
                    code: 'github-artifact',
                    message: `Could not upload the artifact ${name}: ${reason.replace(/\.$/, '')}.`,
                    state: `The files are where they were, under ${root}; the run does not keep them.`,
                    next: 'Run the job again; an artifact of that name, once there, cannot be written twice in a run.',
                }, { cause: error });
            }
        },
    };
}


/***/ })

};
