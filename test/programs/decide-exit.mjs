// A decision that ends its thread.
export default () => process.exit(3);
