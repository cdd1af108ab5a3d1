// Spring's own evaluator over the values of rules.py: warms up, then prints evaluations a second and each expression's answer.

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.springframework.expression.EvaluationContext;
import org.springframework.expression.Expression;
import org.springframework.expression.PropertyAccessor;
import org.springframework.expression.TypedValue;
import org.springframework.expression.spel.SpelCompilerMode;
import org.springframework.expression.spel.SpelParserConfiguration;
import org.springframework.expression.spel.standard.SpelExpressionParser;
import org.springframework.expression.spel.support.StandardEvaluationContext;

public class SpringRules {
    /** A key of a map, read as a property. */
    private static final class Keys implements PropertyAccessor {
        public Class<?>[] getSpecificTargetClasses() {
            return new Class<?>[] {Map.class};
        }

        public boolean canRead(EvaluationContext context, Object target, String name) {
            return ((Map<?, ?>) target).containsKey(name);
        }

        public TypedValue read(EvaluationContext context, Object target, String name) {
            return new TypedValue(((Map<?, ?>) target).get(name));
        }

        public boolean canWrite(EvaluationContext context, Object target, String name) {
            return false;
        }

        public void write(EvaluationContext context, Object target, String name, Object value) {
            throw new UnsupportedOperationException();
        }
    }

    private static final ThreadMXBean CLOCK = ManagementFactory.getThreadMXBean(); // processor time: others use the machine too
    private static final Keys KEYS = new Keys();

    private static Map<String, Object> map(Object... pairs) {
        Map<String, Object> made = new LinkedHashMap<>();
        for (int i = 0; i < pairs.length; i += 2) {
            made.put((String) pairs[i], pairs[i + 1]);
        }
        return made;
    }

    private static final Map<String, Object> PREDICTIONS = map(
        "dogCount", 0, "catCount", 1, "match", false, "similarity", 0.65, "overallQuality", 0.8, "isAcceptable", true,
        "isAnomaly", true, "anomalyScore", 0.9, "isSpoofed", true, "spoofingConfidence", 0.7, "facesDetected", 1,
        "blurScore", 0.5, "exposureScore", 0.2);
    private static final Map<String, Object> ADDITIONAL = map(
        "isAggressive", true, "imageQualityScore", 0.42, "dogCount", 12, "lifetimeReportCount", 45);
    private static final Map<String, Object> ROOT = map(
        "predictions", PREDICTIONS, "additionalData", ADDITIONAL, "metadata", map("timestamp", map("hour", 19)));
    private static final Map<String, Object> VARIABLES = map(
        "additionalData", ADDITIONAL, "evidences", Arrays.asList(map("purpose", "DOG_PHOTO"), map("purpose", "SELFIE")),
        "evidenceCount", 2, "latitude", 28.56, "longitude", 77.1, "deviceId", "android-abc123def456");

    /** A report's values, handed over. */
    private static EvaluationContext context() {
        StandardEvaluationContext context = new StandardEvaluationContext(ROOT);
        context.addPropertyAccessor(KEYS);
        context.setVariables(VARIABLES);
        return context;
    }

    private static double rate(List<Expression> expressions, double seconds) {
        long began = CLOCK.getCurrentThreadCpuTime();
        long done = 0;
        double passed = 0;
        while (passed < seconds) {
            for (int i = 0; i < 100; i++) {
                EvaluationContext context = context();
                for (Expression expression : expressions) {
                    expression.getValue(context);
                }
            }
            done += 100L * expressions.size();
            passed = (CLOCK.getCurrentThreadCpuTime() - began) / 1e9;
        }
        return done / passed;
    }

    public static void main(String[] arguments) throws Exception {
        SpelExpressionParser parser = new SpelExpressionParser(new SpelParserConfiguration(SpelCompilerMode.OFF, null));
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, "UTF-8"));
        List<Expression> expressions = new ArrayList<>();
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            expressions.add(parser.parseExpression(line));
        }
        rate(expressions, Double.parseDouble(arguments[0]));
        System.out.println(rate(expressions, Double.parseDouble(arguments[1])));
        for (Expression expression : expressions) {
            System.out.println(expression.getValue(context()));
        }
    }
}
