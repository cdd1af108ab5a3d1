// Spring's own answers, one line for each expression that comes in: TYPE<TAB>VALUE, or ERROR<TAB>exception.
// Properties of maps are reached as ours are; the context is the one in judged.py. Run by record_spring.py.

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.springframework.expression.AccessException;
import org.springframework.expression.EvaluationContext;
import org.springframework.expression.PropertyAccessor;
import org.springframework.expression.TypedValue;
import org.springframework.expression.spel.standard.SpelExpressionParser;
import org.springframework.expression.spel.support.StandardEvaluationContext;

public class SpringJudge {
    private static final Map<Class<?>, String> NUMBERS = Map.of(
        Integer.class, "int", Long.class, "long", Float.class, "float", Double.class, "double", java.math.BigDecimal.class, "decimal");

    /** A key of a map, read as a property; what is no key is left to the getters. */
    private static final class Keys implements PropertyAccessor {
        public Class<?>[] getSpecificTargetClasses() {
            return new Class<?>[] {Map.class};
        }

        public boolean canRead(EvaluationContext context, Object target, String name) {
            return target instanceof Map && ((Map<?, ?>) target).containsKey(name);
        }

        public TypedValue read(EvaluationContext context, Object target, String name) {
            return new TypedValue(((Map<?, ?>) target).get(name));
        }

        public boolean canWrite(EvaluationContext context, Object target, String name) {
            return false;
        }

        public void write(EvaluationContext context, Object target, String name, Object value) throws AccessException {
            throw new AccessException("nothing is written");
        }
    }

    private static Map<String, Object> map(Object... pairs) {
        Map<String, Object> made = new LinkedHashMap<>();
        for (int i = 0; i < pairs.length; i += 2) {
            made.put((String) pairs[i], pairs[i + 1]);
        }
        return made;
    }

    private static List<Object> list(Object... items) {
        return new ArrayList<>(Arrays.asList(items));
    }

    private static StandardEvaluationContext context() {
        Map<String, Object> additional = map(
            "dogCount", 12, "isAggressive", true, "lifetimeReportCount", 45, "imageQualityScore", 0.42, "reportType", "STRAY_SIGHTING",
            "note", "Pack near school gate", "nothing", null, "tags", list("injured", "pack"));
        Map<String, Object> predictions = map(
            "dogCount", 0, "confidence", 0.92, "match", false, "similarity", 0.65, "isSpoofed", true, "spoofingConfidence", 0.7);
        Map<String, Object> root = map(
            "predictions", predictions, "additionalData", additional, "metadata", map("timestamp", map("hour", 19), "camera", null));
        root.putAll(predictions);
        StandardEvaluationContext context = new StandardEvaluationContext(root);
        context.addPropertyAccessor(new Keys());
        context.setVariable("applicantId", "teacher-7");
        context.setVariable("applicantName", "Amina Hassan");
        context.setVariable("deviceId", "emulator-5554");
        context.setVariable("mobileNumber", "9876543210");
        context.setVariable("latitude", 28.56);
        context.setVariable("longitude", 77.10);
        context.setVariable("locality", "DJC001");
        context.setVariable("evidences", list(
            map("type", "PHOTO", "purpose", "DOG_PHOTO", "size", 2456789,
                "metadata", map("exifPresent", true, "deviceId", "android-abc123")),
            map("type", "PHOTO", "purpose", "SELFIE", "size", 1234567,
                "metadata", map("exifPresent", false, "deviceId", "android-abc123"))));
        context.setVariable("evidenceCount", 2);
        context.setVariable("additionalData", additional);
        context.setVariable("predictions", predictions);
        context.setVariable("now", 1734176205000L);
        return context;
    }

    private static String show(Object value) {
        if (value == null) {
            return "null\tnull";
        }
        if (value instanceof Boolean) {
            return "bool\t" + value;
        }
        if (NUMBERS.containsKey(value.getClass())) {
            return NUMBERS.get(value.getClass()) + "\t" + value;
        }
        if (value instanceof CharSequence || value instanceof Character) {
            return "str\t" + value.toString().replace("\t", "\\t").replace("\n", "\\n");
        }
        if (value instanceof Object[]) {
            value = Arrays.asList((Object[]) value);
        }
        StringBuilder shown = new StringBuilder();
        if (value instanceof Collection) {
            for (Object item : (Collection<?>) value) {
                shown.append(show(item).replace('\t', ':')).append('|');
            }
            return "list\t" + shown;
        }
        if (value instanceof Map) {
            for (Map.Entry<?, ?> entry : ((Map<?, ?>) value).entrySet()) {
                shown.append(show(entry.getKey()).replace('\t', ':')).append('=').append(show(entry.getValue()).replace('\t', ':')).append('|');
            }
            return "map\t" + shown;
        }
        if (value instanceof java.time.LocalTime) {
            return "time\t" + value;
        }
        return "other\t" + value.getClass().getSimpleName();
    }

    public static void main(String[] arguments) throws Exception {
        SpelExpressionParser parser = new SpelExpressionParser();
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, "UTF-8"));
        PrintStream out = new PrintStream(System.out, false, "UTF-8");
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String answer;
            try {
                answer = show(parser.parseExpression(line).getValue(context()));
            } catch (Throwable error) {
                answer = "ERROR\t" + error.getClass().getSimpleName() + (arguments.length > 0 ? "\t" + error.getMessage() : "");
            }
            out.print(answer + "\n");
            out.flush();
        }
    }
}
