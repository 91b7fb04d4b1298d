export default () => 'forward';
