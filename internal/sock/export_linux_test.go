package sock

var CreateUnix = createUnix
